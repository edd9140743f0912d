"""Offers the package beyond one Python process, behind HTTP and inside engines of other projects.

Knows all rooms below but the demo. Imports nothing by itself: each folder needs its own extra.

    client/   requests to servers that are not ours, and answers that are checked; needs neither torch nor transformers
    engines/  masks inside of engines of other projects; each needs its own engine
    server/   a server of one local model, in the shapes of OpenAI's API; needs the extra ``serve``
"""
