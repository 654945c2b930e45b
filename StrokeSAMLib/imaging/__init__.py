"""Functions on images and arrays. Images are SimpleITK images in LPS and millimetres; arrays are (k, j, i)."""
