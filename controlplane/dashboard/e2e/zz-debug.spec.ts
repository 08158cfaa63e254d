import { test } from './gateway';
import { connect } from './manage';
test('debug', async ({ gateway, signedIn: page }) => {
  await connect(gateway, page, 'a good one', gateway.demo);
  await connect(gateway, page, 'into the void', 'http://127.0.0.1:9/v1');
  const wide = () => page.evaluate(() => ({ w: document.documentElement.scrollWidth, all: [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.mantine-ScrollArea-root')).map((e) => `${e.tagName}.${e.className} ${Math.round(e.getBoundingClientRect().right)}`).slice(0, 20) }));
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto('/dashboard/providers');
  await page.getByRole('button', { name: 'Test all of OpenAI' }).click();
  const dialog = page.getByRole('dialog', { name: 'Test connections' });
  console.log('closed', JSON.stringify(await wide()));
  await dialog.getByRole('button', { name: 'Test' }).click();
  await dialog.getByRole('status').waitFor();
  console.log('open', JSON.stringify(await wide()));
  await page.screenshot({ path: '/tmp/pages-dbg/a.png' });
});
