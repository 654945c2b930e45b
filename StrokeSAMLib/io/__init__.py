"""Reading and writing files and folders: images, their checks, and the hash of a volume."""
