"""Features of encoded slices: encoding, the cache in memory and on disk, and the memory that they need."""
