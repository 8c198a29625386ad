/** Every category with what it keeps in the browser, a switch where it may be switched, and three ways to decide. */
import type { ComponentChildren } from 'preact'
import type { Action, Choices, Labels, Notice, NoticeCookie } from '../wire.js'

/** Taken at a click, whose event proves that a person made it. */
export type OnDecide = (action: Action, event: Event, switches?: Choices) => void

/** The policy's own sentence, and the way to the rest of it. */
export const Text = ({ notice, more }: { notice: Notice; more?: string | false | undefined }) => (
  <p>
    {notice.text} {more} <a href={notice.policyUrl}>{notice.words.policyLink}</a>
  </p>
)

/** Refusing is as easy as accepting: same row, same size, same weight. */
export const Actions = ({
  words,
  onDecide,
  children,
}: {
  words: Labels
  onDecide: OnDecide
  children: ComponentChildren
}) => (
  <div class="actions">
    {children}
    <button type="button" part="button" onClick={(event) => onDecide('reject-all', event)}>
      {words.rejectAll}
    </button>
    <button type="button" part="button" onClick={(event) => onDecide('accept-all', event)}>
      {words.acceptAll}
    </button>
  </div>
)

const Cookie = ({ words, cookie }: { words: Labels; cookie: NoticeCookie }) => (
  <dl>
    {(
      [
        [words.cookieName, cookie.name],
        [words.cookieProvider, cookie.provider],
        [words.cookiePurpose, cookie.purpose],
        [words.cookieReason, cookie.necessaryBecause],
        [words.cookieLifetime, cookie.lifetime],
      ] as const
    ).map(
      ([name, value]) =>
        value && (
          <div>
            <dt>{name}</dt>
            <dd>
              {/* A name that begins with signs begins with them where one reads from the right, too. */}
              <bdi>{value}</bdi>
            </dd>
          </div>
        ),
    )}
  </dl>
)

/** Nothing is on that the visitor has not switched on. */
export const ChoicesForm = ({
  notice,
  granted,
  onDecide,
}: {
  notice: Notice
  granted: readonly string[]
  onDecide: OnDecide
}) => {
  const { words } = notice
  const save = (event: Event) => {
    const inputs = (event.currentTarget as Element).closest('.choices')!.querySelectorAll('input')
    onDecide('save', event, Object.fromEntries(Array.from(inputs, ({ name, checked }) => [name, checked])))
  }
  return (
    <div class="choices">
      {notice.categories.map(({ id, title, description, required }) => {
        const cookies = notice.cookies.filter(({ category }) => category === id)
        const Row = required ? 'div' : 'label'
        return (
          <div class="category" key={id}>
            <Row class="row">
              <h3>{title}</h3>
              {required ? (
                words.alwaysOn
              ) : (
                // biome-ignore lint/a11y/useAriaPropsForRole: a native checkbox tells its own state.
                <input type="checkbox" role="switch" name={id} defaultChecked={granted.includes(id)} />
              )}
            </Row>
            <p>{description}</p>
            {cookies[0] && (
              <details>
                <summary>
                  {words.cookies} ({cookies.length})
                </summary>
                {cookies.map((cookie) => (
                  <Cookie words={words} cookie={cookie} />
                ))}
              </details>
            )}
          </div>
        )
      })}
      <Actions words={words} onDecide={onDecide}>
        <button type="button" part="button" class="plain" onClick={save}>
          {words.save}
        </button>
      </Actions>
    </div>
  )
}
