// Looks at a server with the Socket.IO Admin UI in a real browser.
//
//   node admin_ui.mjs URL OPTIONS(json: executable, flags, profile, screenshots, page)
import { chromium } from "playwright-core";
import { run, say, told } from "../support/program.mjs";

const [url, options] = process.argv.slice(2);
const { executable, flags, profile, screenshots, page: path } = JSON.parse(options);
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: executable,
  args: flags,
  viewport: { width: 1400, height: 900 },
});
browser.setDefaultTimeout(60000);
const faults = [];

await run(
  async () => {
    const page = await browser.newPage();
    page.on("pageerror", (error) => faults.push(String(error)));
    // Its fonts are on other hosts, which tests do not ask.
    await page.route((address) => !address.href.startsWith(url), (route) => route.abort());
    await page.goto(url + path);
    const picture = async (title) => {
      if (screenshots) await page.screenshot({ path: `${screenshots}/${title}.png` });
    };
    const row = (text) => page.locator("tr", { hasText: text }).first();
    const go = (place) => page.goto(`${url}${path}#/${place}/`);

    await page.getByLabel("Server URL").fill(url);
    await page.getByLabel("Username").fill("ada");
    await page.getByLabel("Password").fill("wrong");
    await page.click("button[type=submit]");
    await page.getByText("Invalid credentials").waitFor();
    await page.getByLabel("Password").fill("secret");
    await page.click("button[type=submit]");
    await page.locator(".v-dialog").waitFor({ state: "hidden" });
    await picture("admin-dashboard");
    await go("servers");
    await row("the-server").waitFor();
    say("connected");
    const { early, late } = await told();

    await go("sockets");
    await row(early).waitFor();
    await row(late).waitFor();
    await picture("admin-sockets");
    await go("rooms");
    await row("tea").waitFor();
    await row("coffee").waitFor();
    const rooms = await page.locator("tbody tr").allInnerTexts();
    await picture("admin-rooms");
    await go("events");
    await row("hello").waitFor();
    await picture("admin-events");

    await go("sockets");
    await row(early).getByRole("button").last().click();
    // The click opens the client's page too.
    await page.getByText("disconnected").first().waitFor();
    await picture("admin-socket");

    // Servers hand out no session ids, so a page that is loaded anew asks for the password again.
    await page.reload();
    await page.locator(".v-dialog").waitFor();
    await page.getByLabel("Username").fill("ada");
    await page.getByLabel("Password").fill("secret");
    await page.click("button[type=submit]");
    await page.locator(".v-dialog").waitFor({ state: "hidden" });
    if (faults.length > 0) throw new Error(`on the page: ${faults.join("; ")}`);
    return { rooms };
  },
  () => browser.close(),
);
