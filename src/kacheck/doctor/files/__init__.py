"""KA4: track_file. tracked_file.py and runtime_directories.py read; the others judge."""
