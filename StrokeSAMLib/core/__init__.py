"""The foundations that every other package uses: errors, progress, options, files, packages, jobs, the version."""
