"""DICOM series: finding their files and reading their image."""
