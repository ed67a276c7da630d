"""Documents that come with models: PDF, and Microsoft's older formats.

Nothing is rendered. A document passes where nothing in it would run, open or carry something.
"""
