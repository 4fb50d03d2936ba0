// Opens every page of a directory in headless Chromium and fails if one of them asks
// anything of the network, breaks its own policy, is wider than the screen, has a
// violation that axe finds, cannot be used by keyboard, or takes long.
//
//   node check.mjs PAGES [SCREENSHOTS]
//
// CHROMIUM names the browser; its default is Debian's. PATIENCE multiplies the time
// that pages have, for a machine that is busy.
import { createRequire } from "node:module";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [pages, screenshots] = process.argv.slice(2);
const screens = {
  light: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  phone: { viewport: { width: 375, height: 812 }, colorScheme: "light", hasTouch: true, isMobile: true },
};
// slow is how long a page of 1,000 nodes may take to be there, and a key to answer,
// in milliseconds.
const patience = Number(process.env.PATIENCE || 1);
const slow = { load: 4000 * patience, key: 500 * patience };
let failures = 0;

function fail(page, what) {
  failures++;
  console.error(`FAIL ${page}: ${what}`);
}

// open opens a page and returns it once it has come to rest.
async function open(browser, file, options, name) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && fail(name, message.text()));
  page.on("pageerror", (error) => fail(name, error));
  page.on("request", (request) => {
    if (!request.url().startsWith("file:") || resolve(new URL(request.url()).pathname) !== file) {
      fail(name, `it asks for ${request.url()}`);
    }
  });
  const began = performance.now();
  await page.goto("file://" + file);
  await page.evaluate(() => new Promise(requestAnimationFrame));
  const took = performance.now() - began;
  if (took > slow.load) fail(name, `it takes ${took.toFixed(0)} ms`);
  return { page, context, took };
}

async function checkLayout(page, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) fail(name, `it is ${wide} px wider than the screen`);
}

async function checkAxe(page, name) {
  await page.evaluate(() => document.querySelectorAll("details").forEach((one, i) => { one.open = i < 3; }));
  await page.evaluate(axe); // by the debugger: the page's policy would not let it in
  const found = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  for (const violation of found.violations) {
    const node = violation.nodes[0];
    fail(name, `axe: ${violation.id}: ${violation.help}: ${node.html.slice(0, 160)} ${node.failureSummary}`);
  }
}

// checkKeyboard moves through a mesh by keys, and opens a direction from it.
async function checkKeyboard(page, name) {
  await page.keyboard.press("Tab");
  const skip = await page.evaluate(() => document.activeElement.className);
  if (skip !== "skip") fail(name, `the first stop is ${skip}, not the link past the head`);
  const canvas = page.locator("canvas").first();
  if (await canvas.count()) {
    await canvas.focus();
    const began = performance.now();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    const text = await page.locator(".pointed").first().textContent();
    const took = performance.now() - began;
    if (!/ → .*: /.test(text)) fail(name, `the mesh says ${text}`);
    if (took > slow.key) fail(name, `two keys take ${took.toFixed(0)} ms`);
  }
  const cell = page.locator(".heat a").first();
  if (await cell.count()) {
    await cell.focus();
    await page.keyboard.press("Enter");
    await page.waitForTimeout(100);
    if (await page.locator("details[open]").count() === 0) fail(name, "a cell of the mesh opens no direction");
  }
  const buttons = await page.locator(".command button").count();
  const commands = await page.locator(".command").count();
  if (buttons !== commands) fail(name, `${buttons} of ${commands} commands can be copied`);
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
if (screenshots) mkdirSync(screenshots, { recursive: true });
const files = readdirSync(pages).filter((file) => file.endsWith(".html")).sort();
for (const file of files) {
  for (const [screen, options] of Object.entries(screens)) {
    const name = `${file.slice(0, -5)}-${screen}`;
    const { page, context, took } = await open(browser, resolve(join(pages, file)), options, name);
    await checkLayout(page, name);
    if (screenshots) await page.screenshot({ path: join(screenshots, name + ".png"), fullPage: screen !== "phone" });
    if (screenshots && screen === "phone") await page.screenshot({ path: join(screenshots, name + ".png") });
    if (screen === "light") await checkKeyboard(page, name);
    await checkAxe(page, name);
    console.log(`${name}: ${took.toFixed(0)} ms`);
    await context.close();
  }
  if (screenshots) {
    const { page, context } = await open(browser, resolve(join(pages, file)), screens.light, file);
    await page.pdf({ path: join(screenshots, file.slice(0, -5) + ".pdf"), format: "A4" });
    await context.close();
  }
}
await browser.close();
if (files.length === 0) fail(pages, "there is no page");
console.log(failures ? `${failures} failures` : `${files.length} pages are fine`);
process.exit(failures ? 1 : 0);
