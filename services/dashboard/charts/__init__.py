"""Pictures as SVG markup: pure functions, classes instead of colours, words in `<title>` and `<desc>`.

Instants are written in the zone they carry: hand in the clinic's. A chart never replaces the numbers; the
caller gives them as text or in a visually hidden table.
"""
