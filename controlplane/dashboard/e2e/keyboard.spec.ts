import type { Page } from '@playwright/test';
import { groups } from '../src/navigation';
import { chat, createKey, expect, test } from './gateway';
import { manage } from './manage';

/** More stops than any page has. */
const MOST = 900;

type Stop = { where: string; again: boolean; end: boolean };

/**
 * Goes on by one Tab. What has the focus is marked, and what it and its surroundings look like is kept; of what had it
 * before, whether it looks the same without, for then nobody sees where they are.
 */
async function tab(page: Page): Promise<Stop & { unseen: string | null }> {
  await page.keyboard.press('Tab');
  return page.evaluate(() => {
    type Kept = { element: Element; look: string } | null;
    const store = window as unknown as { kept: Kept };
    const name = (element: Element) => `<${element.tagName.toLowerCase()}> ${element.getAttribute('aria-label') ?? element.textContent?.slice(0, 40) ?? ''}`;
    // a ring may be drawn by the element, by what is drawn in its place, or by what it stands in
    const around = (element: Element) => [element, element.parentElement, element.nextElementSibling, element.parentElement?.parentElement];
    const look = (element: Element) => {
      document.getAnimations().forEach((animation) => animation instanceof CSSTransition && animation.finish());
      return around(element)
        .map((one) => {
          if (!one) return '';
          const { outlineStyle, outlineWidth, outlineColor, borderColor, boxShadow, backgroundColor } = getComputedStyle(one);
          return [outlineStyle, outlineWidth, outlineColor, borderColor, boxShadow, backgroundColor].join();
        })
        .join(' | ');
    };
    const before = store.kept;
    const focused = document.activeElement;
    // a field for a time has several stops inside
    const same = before !== null && before?.element === focused;
    const unseen = before && !same && before.element.isConnected && look(before.element) === before.look ? name(before.element) : null;
    if (!focused || focused === document.body) {
      store.kept = null;
      return { where: 'the page', again: false, end: true, unseen };
    }
    const again = !same && focused.hasAttribute('data-reached');
    focused.setAttribute('data-reached', '');
    store.kept = { element: focused, look: look(focused) };
    return { where: name(focused), again, end: false, unseen };
  });
}

/** What can be used with a pointer and was never reached. Of radio buttons one of a group is, and the arrows do the rest. */
function missed(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const all = [...document.querySelectorAll<HTMLElement>('a[href], button, input:not([type=hidden]), select, textarea, [role=button], [role=switch], [tabindex="0"]')];
    const isRadio = (element: Element): element is HTMLInputElement => element instanceof HTMLInputElement && element.type === 'radio';
    const reachedGroups = new Set(all.filter(isRadio).flatMap((radio) => (radio.hasAttribute('data-reached') ? [radio.name] : [])));
    return all
      .filter((element) => element.checkVisibility() && !element.matches(':disabled') && element.tabIndex >= 0)
      .filter((element) => !element.hasAttribute('data-reached') && !(isRadio(element) && reachedGroups.has(element.name)))
      .map((element) => element.outerHTML.slice(0, 160));
  });
}

for (const { to, label } of groups.flatMap(({ pages }) => [...pages])) {
  test(`everything on the page ${label} is reached with the keyboard, is seen to be, and lets go again`, async ({ gateway, signedIn: page }) => {
    test.setTimeout(240_000);
    if (to === '/requests' || to === '/usage') {
      const key = await createKey(page, `keyboard ${to.slice(1)}`);
      expect((await chat(gateway, key, 'demo/demo')).status).toBe(200);
    }
    // what comes and goes by itself would not be there any more when it is asked for
    await page.goto(`/dashboard${to}`);
    await expect(page.getByRole('main').getByRole('heading', { level: 1 })).toBeVisible();
    await expect(page.getByLabel('Loading')).toHaveCount(0);
    const unseen: string[] = [];
    let last = '';
    let over = false;
    for (let stop = 0; stop < MOST && !over; stop += 1) {
      const step = await tab(page);
      if (step.unseen) unseen.push(step.unseen);
      over = step.end || step.again;
      last = step.where;
    }
    expect(over, `the focus never left ${last}`).toBe(true);
    expect(unseen, 'these look the same with the focus and without').toEqual([]);
    // a page that reads anew may have put something in its place
    expect(await missed(page)).toEqual([]);
  });
}

test('a combo is made, edited and deleted without a mouse', async ({ gateway, signedIn: page }) => {
  const combos = async () => (await manage<{ combos: { name: string; models: string[] }[] }>(gateway, page, 'GET', '/api/combos')).combos.filter(({ name }) => name === 'by-keys');
  await page.goto('/dashboard/combos');
  await page.getByRole('button', { name: 'New combo' }).first().focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'New combo' });
  await expect(dialog.getByLabel('Name')).toBeFocused();
  await page.keyboard.type('by-keys');
  await dialog.getByRole('combobox', { name: 'Member 1' }).focus();
  await page.keyboard.type('demo/demo');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(dialog).toBeHidden();
  expect(await combos()).toMatchObject([{ models: ['demo/demo'] }]);

  await page.getByRole('button', { name: 'Edit by-keys' }).focus();
  await page.keyboard.press('Space');
  const editor = page.getByRole('dialog', { name: 'Edit by-keys' });
  await expect(editor.getByLabel('Name')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(editor).toBeHidden();
  await expect(page.getByRole('button', { name: 'Edit by-keys' })).toBeFocused();
  await page.getByRole('button', { name: 'Delete by-keys' }).focus();
  await page.keyboard.press('Enter');
  const question = page.getByRole('dialog', { name: 'Delete by-keys?' });
  await question.getByRole('button', { name: 'Delete' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('region', { name: 'by-keys' })).toHaveCount(0);
  expect(await combos()).toEqual([]);
});
