"""The anatomy of a head in an image: brain masks, mid-sagittal plane, mirror image, Hounsfield units and ADC."""
