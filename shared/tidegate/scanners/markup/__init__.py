"""XML and HTML: PMML, OpenVINO's graphs, SVG pictures, pages, and whatever else is written so.

Always holds: no entity is expanded, nothing outside of the bytes is looked up, and what an
element would make its reader do is judged by tables, not by running it.
"""
