"""The railroad diagram of a pattern: whoever follows a line from its begin to its end reads one of the texts.

Begins at the nodes of the pattern, as all that is made of one does; each rule has a diagram of its own, to which others link. The
diagrams are drawn by the library ``railroad-diagrams`` (Tab Atkins Jr.), in the extra ``cli``. In reading order:

    grammar   the rules of a pattern as alternatives, loops and skips
    plan      which rules are drawn inside of others, and what each is called
    boxes     nodes as boxes and tracks of the library
    drawing   rules as diagrams, within bounds
    diagram   all diagrams as one picture in SVG
"""

from rellm_agents.views.diagrams.diagram import Diagram, railroad
