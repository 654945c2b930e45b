"""DICOM: from the bytes of files to volumes.

The way of a file: `address` and `archives` find the place, `files` its files, `bytestream` and `header` read one file,
`frames` finds the 2-D frames in it, `stacks` groups the frames of all files, `choosing` takes one stack, `slices` and
`volume` make an image of it. `study` joins these steps.
"""
