// The types of a table that web/export.py writes.
declare module "*/generated/tables.json" {
  const code: import("./tables.ts").CodeTables;
  export default code;
}
