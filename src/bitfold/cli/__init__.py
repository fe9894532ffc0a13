"""The programs: a file for each command, and the console. They parse and print, and do no more."""
