// Builds the snippets of the guide to frontends and lets them talk to each other: pages in a real browser, and React Native's socket here.
//
//   node frontends.mjs FOLDER OPTIONS(json: executable, flags, profile, screenshots)
//
// FOLDER has react/, vue/, svelte/ and native/ with the files of the guide.
import { writeFile, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { compile as compileSvelte } from "svelte/compiler";
import { compileScript, parse } from "vue/compiler-sfc";
import { WebSocket } from "ws";
import { run } from "../support/program.mjs";

const [folder, options] = process.argv.slice(2);
const { executable, flags, profile, screenshots } = JSON.parse(options);
// Where the development server of Vite would serve the pages.
const SITE = "http://localhost:5173/";
const faults = [];

// Each component is mounted, unmounted and mounted again: it must leave no handler behind. React does so by itself, in strict mode.
const entries = {
  react: `import "./main";`,
  vue: `
    import { createApp } from "vue";
    import Chat from "./Chat.vue";
    const first = createApp(Chat);
    first.mount("#app");
    first.unmount();
    createApp(Chat).mount("#app");`,
  svelte: `
    import { flushSync, mount, unmount } from "svelte";
    import Chat from "./Chat.svelte";
    const target = document.getElementById("app");
    const first = mount(Chat, { target });
    flushSync();
    await unmount(first);
    mount(Chat, { target });`,
};

/** What Vite does with components of one file. */
const components = {
  name: "components",
  setup(builder) {
    builder.onLoad({ filter: /\.vue$/ }, async ({ path }) => {
      const { descriptor, errors } = parse(await readFile(path, "utf8"), { filename: path });
      if (errors.length) throw errors[0];
      const script = compileScript(descriptor, { id: "chat", inlineTemplate: true });
      return { contents: script.content, loader: "ts" };
    });
    builder.onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      const { js, warnings } = compileSvelte(await readFile(path, "utf8"), { filename: path, generate: "client" });
      warnings.forEach((warning) => faults.push(warning.message));
      return { contents: js.code, loader: "js" };
    });
  },
};

async function bundled(entryPoint, changes) {
  const { outputFiles, warnings } = await build({
    entryPoints: [entryPoint],
    bundle: true,
    write: false,
    platform: "browser",
    jsx: "automatic",
    logLevel: "silent",
    nodePaths: [new URL("../node_modules", import.meta.url).pathname],
    plugins: [components],
    define: {
      "process.env.NODE_ENV": '"development"', // strict mode mounts twice in development alone
      __VUE_OPTIONS_API__: "true",
      __VUE_PROD_DEVTOOLS__: "false",
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
    },
    ...changes,
  });
  warnings.forEach((warning) => faults.push(warning.text));
  return outputFiles[0].text;
}

/** The socket of the guide under the globals that React Native has: no window, no document, its own WebSocket. */
async function nativeSocket() {
  Object.defineProperty(globalThis, "navigator", { value: { product: "ReactNative" }, configurable: true });
  globalThis.WebSocket = WebSocket;
  const code = await bundled(`${folder}/native/socket.ts`, { format: "cjs", conditions: ["react-native", "import"] });
  const module = { exports: {} };
  new Function("module", "exports", "require", code)(module, module.exports, createRequire(import.meta.url));
  return module.exports.socket;
}

const browser = await chromium.launchPersistentContext(profile, {
  executablePath: executable,
  // The pages come from no server, so Chromium does not know that they are of this machine, and would not let them connect to it.
  args: [...flags, "--disable-features=LocalNetworkAccessChecks"],
  viewport: { width: 600, height: 300 },
});
browser.setDefaultTimeout(60000);

async function opened(name) {
  const entry = `${folder}/${name}/entry.ts`;
  await writeFile(entry, entries[name]);
  const code = await bundled(entry, { format: "esm" });
  const page = await browser.newPage();
  page.on("pageerror", (error) => faults.push(`${name}: ${error}`));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && faults.push(`${name}: ${message.text()}`));
  await page.route(SITE, (route) =>
    route.fulfill({
      contentType: "text/html",
      body: `<!doctype html><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="bundle.js"></script>`,
    }),
  );
  await page.route(`${SITE}bundle.js`, (route) => route.fulfill({ contentType: "text/javascript", body: code }));
  await page.goto(SITE);
  return page;
}

/** Say something; returns when it was acknowledged, and so the page is connected. */
async function says(page, text) {
  await page.fill("input", text);
  await page.press("input", "Enter");
  await page.waitForFunction(() => document.querySelector("input").value === "").catch((error) => {
    throw new Error(`${error.message}; ${faults.join("; ")}`);
  });
}
const shows = (page, text) => page.locator("li", { hasText: text }).first().waitFor();

await run(
  async () => {
    const native = await nativeSocket();
    const heard = [];
    native.on("said", ({ text }) => heard.push(text));
    await new Promise((connected) => native.on("connect", connected));
    const transport = native.io.engine.transport.name;

    const pages = {};
    for (const name of Object.keys(entries)) {
      pages[name] = await opened(name);
      await says(pages[name], `hello from ${name}`);
    }
    for (const [name, page] of Object.entries(pages)) await says(page, `good bye from ${name}`);
    const acknowledged = await native.timeout(60_000).emitWithAck("say", { text: "the end" });
    for (const page of Object.values(pages)) await shows(page, "the end");

    const lists = {};
    for (const [name, page] of Object.entries(pages)) {
      lists[name] = await page.locator("li").allInnerTexts();
      if (screenshots) await page.screenshot({ path: `${screenshots}/frontends-${name}.png` });
    }
    native.disconnect();
    return { ...lists, native: heard, transport, acknowledged, faults };
  },
  () => browser.close(),
);
