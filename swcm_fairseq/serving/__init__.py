"""A model behind HTTP: the command ``swcm-serve``, LibreTranslate's API and one page.

``documents`` cuts a request's text into what a model translates, ``batching`` decodes what many requests ask for
together, ``api`` answers, ``parameters`` and ``server`` keep out what is too much, ``page.html`` is what a browser
shows.
"""
