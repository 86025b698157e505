// Signs events as a JavaScript sender does: keys sorted by `sort`, then put into objects (`objects`) or written
// in that order (`lists`). Reads texts of JSON, one a line; writes each as its sender would send it.
import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";

const [secret, way] = process.argv.slice(2);
const inObjects = (value) => {
  if (Array.isArray(value)) return value.map(inObjects);
  if (value === null || typeof value !== "object") return value;
  return Object.keys(value).sort().reduce((all, name) => ({ ...all, [name]: inObjects(value[name]) }), {});
};
const inOrder = (value) => {
  if (Array.isArray(value)) return `[${value.map(inOrder).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const fields = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${inOrder(value[name])}`);
  return `{${fields.join(",")}}`;
};
for await (const line of createInterface({ input: process.stdin })) {
  const value = JSON.parse(line);
  const text = way === "objects" ? JSON.stringify(inObjects(value)) : inOrder(value);
  const v2 = createHmac("sha256", secret).update(text, "utf8").digest("hex");
  console.log(JSON.stringify({ body: line, v2 }));
}
