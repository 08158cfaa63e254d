import { access } from './id/access';
import { frame } from './id/frame';
import { routing } from './id/routing';
import { settings } from './id/settings';
import { start } from './id/start';
import { system } from './id/system';
import { tools } from './id/tools';
import { traffic } from './id/traffic';

/** Bahasa Indonesia. A text that several pages show stands where it is shown first. */
const id: Record<string, string> = { ...frame, ...start, ...routing, ...access, ...traffic, ...tools, ...system, ...settings };

export default id;
