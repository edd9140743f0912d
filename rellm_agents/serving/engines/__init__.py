"""The masks of this package inside of engines of other projects, which run the model: each engine in one module.

None of the engines is imported before it is used, and this face imports none of the modules:

    llama_cpp   llama-cpp-python: GGUF files on the CPU
    ray         the rows of a data set, for Ray Data; Ray itself is not imported
    smolagents  a model for its agents
"""
