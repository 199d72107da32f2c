"""One-liners that look for a process, ask a URL or try a port, and the checks that they become."""
