// Checks the status page of a daemon that watches the accounts of the demo, as people do: node page.mjs ADDRESS FOLDER. Says
// when it is "ready for an incident", a group of acme-msp that loses a permission. Ends with an error at the first promise
// that is not kept; what the page looks like lands in FOLDER.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [address, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 90_000;
const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

/** A tab that may speak to the daemon alone, and whose complaints count. */
async function tab(options) {
  const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.complaints = [];
  page.on("console", (line) => ["error", "warning"].includes(line.type()) && page.complaints.push(line.text()));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  await page.route("**/*", (route) => {
    if (route.request().url().startsWith(`${address}/`)) return route.continue();
    page.complaints.push(`asked ${route.request().url()}`);
    return route.abort();
  });
  return page;
}

/** Nothing serious for people who cannot see well, or use no mouse. */
async function accessible(page, what) {
  // axe cannot be loaded by the page's own rules, so it is run past them, as an extension would be.
  const found = await page.evaluate(`(() => { ${axe}; return axe.run(document, { resultTypes: ["violations"] }); })()`);
  const serious = found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
  assert.deepEqual(told, [], `${what} is accessible`);
}

async function photograph(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [width, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize(viewport);
      await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true });
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wider <= 0, `${name} fits the width of a ${width}`);
      await accessible(page, `${name} on a ${width}, ${colorScheme}`);
    }
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.setViewportSize(DESKTOP);
}

const page = await tab();
await page.goto(`${address}/`);
await page.evaluate(() => { window.stillTheSamePage = true; });
assert.equal(await page.locator("tr.row").count(), 5, "every token has a row");

// What is being typed survives the refreshes that bring the incident.
await page.getByRole("searchbox").fill("half a wor");
console.log("ready for an incident");
await page.locator("details.alert", { hasText: "PermissionLost" }).first().waitFor();
assert.ok(await page.evaluate(() => window.stillTheSamePage), "the incident appeared without a reload");
assert.equal(await page.getByRole("searchbox").inputValue(), "half a wor");
const broken = Number(await page.locator(".total.broken .count").textContent());
assert.ok(broken >= 1, "it is counted");
assert.match(await page.title(), /^\(\d+ broken\)/);
await photograph(page, "overview");

// An alert opens in place, by the keyboard, to its evidence and the steps, and stays open over a refresh.
const alert = page.locator("details.alert", { hasText: "PermissionLost" }).first();
await alert.locator("summary").first().focus();
await page.keyboard.press("Enter");
assert.match(await alert.innerText(), /Fix[^]*Shown by/);
await page.evaluate(() => refresh());
assert.ok(await alert.evaluate((details) => details.open), "it stays open");

// It is taken on where it stands, and given back.
await alert.locator("summary", { hasText: "Acknowledge" }).click();
await alert.getByLabel("Who").fill("Pat");
await alert.getByLabel("Why it may wait").fill("the vendor renews it");
await alert.getByRole("button", { name: "Acknowledge" }).click();
await page.waitForURL(/\/alerts\/[0-9a-f]{8}$/);
await page.goto(`${address}/alerts`);
const taken = page.locator("details.alert.acknowledged", { hasText: "PermissionLost" });
await taken.waitFor();
await taken.locator("summary").first().click();
assert.match(await taken.innerText(), /Acknowledged by Pat[^]*the vendor renews it/);
await photograph(page, "alerts");
await taken.getByRole("link", { name: /^Alert [0-9a-f]{8}$/ }).click();
await page.getByRole("heading", { name: "Timeline" }).waitFor();
assert.match(await page.locator(".timeline").innerText(), /First seen[^]*Fired, critical[^]*Acknowledged by Pat/);
await photograph(page, "alert");
await page.getByRole("button", { name: "Take the acknowledgement back" }).click();
await page.locator(".timeline", { hasText: "Acknowledgement taken back" }).waitFor();

// The other views, whose links lead to each other.
for (const view of ["wall", "expiring", "users", "report"]) {
  await page.goto(`${address}/${view}`);
  await photograph(page, view);
}
// The report of one tenant, on paper.
await page.getByLabel("Tenant").fill("acme-msp");
await page.getByRole("button", { name: "Show" }).click();
await page.waitForURL(/tenant=acme-msp/);
assert.equal(await page.locator("section.chapter").count(), 2);
await page.pdf({ path: join(folder, "report.pdf"), preferCSSPageSize: true });
await page.setViewportSize({ width: 1920, height: 1080 });
await page.goto(`${address}/wall`);
assert.equal(await page.evaluate(() => document.documentElement.scrollHeight - innerHeight), 0, "the wall needs no scrolling");
assert.equal(await page.locator(".matrix .cell").count(), 5);
await page.locator(".matrix a", { hasText: "globex" }).click();
await page.waitForURL(/\/tenants\/globex$/);
await page.locator("table.users a", { hasText: "Simulated User" }).click();
await page.waitForURL(/\/tenants\/globex\/users\/\d+$/);
assert.match(await page.locator("#depends").innerText(), /1 token is of this user, for JumpCloud/);
await photograph(page, "user");
const nothing = await page.goto(`${address}/nothing`);
assert.equal(nothing.status(), 404);
assert.match(await page.locator("main").innerText(), /No such page[^]*All tokens/);
page.complaints = page.complaints.filter((text) => !text.includes("404 (Not Found)"));
await page.setViewportSize(DESKTOP);

// A column sorts, and turns round when it is asked again.
await page.goto(`${address}/`);
const names = () => page.locator("tr.row th").allInnerTexts();
await page.getByRole("link", { name: "Token", exact: true }).click();
await page.waitForURL(/sort=token/);
const sorted = await names();
assert.deepEqual(sorted, [...sorted].sort());
assert.equal(await page.locator("th[aria-sort=ascending]").innerText(), "Token ▾");
await page.locator("th[aria-sort] a").click();
await page.waitForURL(/sort=-token/);
assert.deepEqual(await names(), sorted.reverse());
await page.goto(`${address}/`);

// By keyboard alone: search, then the token.
await page.getByRole("searchbox").focus();
await page.keyboard.press("Control+A");
await page.keyboard.type("globex");
await page.keyboard.press("Enter");
await page.waitForURL(/[?]q=globex/);
assert.equal(await page.locator("tr.row").count(), 1, "the words choose");
const link = page.locator("tr.row a.token");
for (let tabs = 0; !(await link.evaluate((element) => element === document.activeElement)); tabs += 1) {
  assert.ok(tabs < 40, "the token can be reached with the Tab key");
  await page.keyboard.press("Tab");
}
const outline = await link.evaluate((element) => getComputedStyle(element).outlineStyle);
assert.notEqual(outline, "none", "where the focus is can be seen");
await page.keyboard.press("Enter");
await page.waitForURL(/\/tenants\/globex\/tokens\/jumpcloud$/);
await page.getByRole("heading", { level: 1, name: "globex / jumpcloud" }).waitFor();

// A filter stands in the address, and a state that is none is said to be none.
await page.goto(`${address}/?state=broken`);
const rows = await page.locator("tr.row").count();
assert.equal(rows, await page.locator("tr.row .badge.broken").count(), "only broken ones");
const refused = await page.goto(`${address}/?state=sunny`);
assert.equal(refused.status(), 400);
assert.match(await page.locator("main").innerText(), /broken, attention/);
page.complaints = page.complaints.filter((text) => !text.includes("400 (Bad Request)"));

// A token with a lost permission, and a look that is wished for.
await page.goto(`${address}/?state=broken`);
await page.locator("tr.row a.token").first().click();
await page.getByRole("heading", { name: "Permissions" }).waitFor();
assert.equal(await page.locator("ol.strip li").count(), 30);
const posted = page.waitForResponse((response) => response.request().method() === "POST");
await page.getByRole("button", { name: "Check now" }).click();
assert.equal((await posted).status(), 303);
await page.waitForURL(/\/tenants\/.*\/tokens\/[^/]*$/);
await photograph(page, "token");
assert.deepEqual(page.complaints, [], "no complaint, and no request to anybody else");

// Without JavaScript it is the same page.
const plain = await tab({ javaScriptEnabled: false });
await plain.goto(`${address}/?q=globex`);
assert.equal(await plain.locator("tr.row").count(), 1);
await plain.locator("select[name=state]").selectOption("well");
await plain.getByRole("button", { name: "Search" }).click();
await plain.waitForURL(/state=well/);
assert.deepEqual(plain.complaints, []);

await browser.close();
console.log("the page keeps its promises");
