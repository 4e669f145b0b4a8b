// Holds the dashboard to Grafana's own types: each key known, each value of its type. Writes a module into a folder of its
// own and lets the TypeScript compiler judge it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const dashboard = readFileSync(join(here, "../../config/grafana/syncro-token-monitor.json"), "utf8");
const folder = mkdtempSync(join(here, ".check-"));
const source = `import type { Dashboard } from "@grafana/schema";
// JSON has the values of enumerations, not their names.
type Loose<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : T extends readonly (infer U)[] ? Loose<U>[] : unknown extends T ? T : { [K in keyof T]: Loose<T[K]> };
export default ${dashboard.trim()} satisfies Loose<Dashboard>;
`;
try {
  writeFileSync(join(folder, "dashboard.ts"), source);
  const tsc = join(here, "node_modules/typescript/bin/tsc");
  const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext", "--target", "es2022"];
  execFileSync(process.execPath, [tsc, ...options, join(folder, "dashboard.ts")], { stdio: "inherit", cwd: here });
  console.log("the dashboard keeps Grafana's types");
} finally {
  rmSync(folder, { recursive: true });
}
