"""Reports: the figures of a results folder with captions and tables, and a page that shows all of it.

Imports figures and what they import; no torch. Start with `reports`. The page's template and scripts lie in
``assets/``.
"""
