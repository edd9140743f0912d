"""Questions with one right answer, ways to have a model answer them, and what can be said of the results.

In reading order:

    items          a question, its right answer and the schema of answers
    copying_tasks  texts that are to be copied
    tasks          all tasks
    reader         the answer that a text means, read forgivingly
    modes          the ways in which a model answers
    comparison     two texts of one item, and why they differ
    statistics     paired tests and intervals
    report         the tables
    progress       how far a measurement is
"""
