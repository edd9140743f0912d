"""An MCP server with one tool, for 10_mcp_tools.py, which starts it. It speaks over its standard input and output."""

from mcp.server.fastmcp import FastMCP

TRAINS = {"Bergen": ("14:35", 2), "Oslo": ("9:10", 7), "Trondheim": ("21:40", 4)}

server = FastMCP("trains", log_level="WARNING")


@server.tool()
def next_train(city: str) -> str:
    """When the next train to a city leaves, and where."""
    if city not in TRAINS:
        return f"There is no train to {city}."
    time, platform = TRAINS[city]
    return f"The next train to {city} leaves at {time} from platform {platform}."


if __name__ == "__main__":
    server.run("stdio")
