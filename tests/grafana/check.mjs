// Holds the dashboards to Grafana's own types: each key known, each value of its type. Writes a module into a folder of its
// own and lets the TypeScript compiler judge it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const grafana = join(here, "../../config/grafana");
const folder = mkdtempSync(join(here, ".check-"));
// What an annotation asks a data source is the data source's own, and in no type.
const OF_PROMETHEUS = ["expr", "step", "titleFormat", "textFormat", "tagKeys", "useValueForTime"];
const read = (name) => JSON.stringify(JSON.parse(readFileSync(join(grafana, name), "utf8")), (key, value) =>
  key === "annotations" ? { list: value.list.map((one) => Object.fromEntries(Object.entries(one).filter(([key]) => !OF_PROMETHEUS.includes(key)))) } : value, 2);
const names = readdirSync(grafana).filter((name) => name.endsWith(".json"));
const source = (name) => `import type { Dashboard } from "@grafana/schema";
// JSON has the values of enumerations, not their names.
type Loose<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : T extends readonly (infer U)[] ? Loose<U>[] : unknown extends T ? T : { [K in keyof T]: Loose<T[K]> };
export default ${read(name)} satisfies Loose<Dashboard>;
`;
try {
  const files = names.map((name) => join(folder, name.replace(/json$/, "ts")));
  names.forEach((name, index) => writeFileSync(files[index], source(name)));
  const tsc = join(here, "node_modules/typescript/bin/tsc");
  const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext", "--target", "es2022"];
  execFileSync(process.execPath, [tsc, ...options, ...files], { stdio: "inherit", cwd: here });
  console.log(`${names.join(", ")} keep Grafana's types`);
} finally {
  rmSync(folder, { recursive: true });
}
