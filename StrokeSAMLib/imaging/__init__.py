"""Pure functions on images: SimpleITK images in and out, LPS and millimetres; arrays are (k, j, i)."""
