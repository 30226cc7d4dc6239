// One process that downloads a list of files; main.mjs starts four of them.

import { forkArgs } from 'holdfast';

const { downloads, urls } = forkArgs();

await Promise.all(urls.map((url) => downloads.with(() => download(url))));

async function download(url) {
  const response = await fetch(url);
  const text = await response.text();
  if (!text.endsWith(new URL(url).pathname)) throw new Error(`${url} gave: ${text}`);
}
