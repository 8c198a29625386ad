/** The dashboard's Content-Security-Policy is strict, and the witness in every story would notice a break of it. */
import { expect, test } from './support/stories.js'
import { acceptAll } from './support/visitor.js'

test('the banner works under a policy that allows no inline script or style, and a break of it is noticed', async ({
  page,
  witness,
}) => {
  const answer = await page.goto('/')
  const policy = answer?.headers()['content-security-policy'] ?? ''
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toContain('unsafe')
  await expect(acceptAll(page)).toBeVisible()
  expect(witness.complaints).toEqual([])

  await page.evaluate(() => {
    document.body.setAttribute('style', 'color: red')
    new Image().src = 'https://elsewhere.example/pixel.gif'
  })
  await expect.poll(() => witness.complaints.join()).toContain('policy violated: style-src')
  await expect.poll(() => witness.complaints.join()).toContain('policy violated: img-src by https://elsewhere.example')
  // Each break is noticed twice, as an event and on the console; the story waits for all of it before it forgives.
  await expect.poll(() => witness.complaints.length).toBe(4)
  witness.complaints.length = 0
})
