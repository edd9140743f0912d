"""Offers the package beyond one Python process, behind HTTP.

Knows all rooms below but the demo. Imports nothing by itself: each folder needs its own extra.

    server/   a server of one local model, in the shapes of OpenAI's API; needs the extra ``serve``
"""
