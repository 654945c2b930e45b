"""`python -m StrokeSAMLib.cli`, for a Python whose scripts are not on PATH, such as Slicer's."""

from StrokeSAMLib.cli import main

if __name__ == "__main__":
    main()
