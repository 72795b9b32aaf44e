"""The explorer: one self-contained page in which results are looked into, opened from disk without a network.

`from_workflow` and `from_runs` read results into a `Source`; `document` turns it into the numbers of every view, as
pure functions; `page` puts them into one HTML file with the program in `static/` and the plotting library. The program
draws, selects and counts; every score, interval and verdict that it shows was computed here in Python.
"""
