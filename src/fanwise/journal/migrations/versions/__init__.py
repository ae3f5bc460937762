"""The journal's versions, one file each."""
