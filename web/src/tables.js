// Numbers and names that the page has in common with the Python code. web/export.py writes them from agent/.

import tables from "../generated/tables.json" with { type: "json" };

export default tables;
