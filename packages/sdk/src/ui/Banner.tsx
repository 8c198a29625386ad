/** The first layer: a labelled region that stops nobody from using the page. */
import type { Notice, SiteConfig } from '../wire.js'
import { Actions, type OnDecide, Text } from './Choices.js'

export const Banner = ({
  notice,
  site,
  onDecide,
  onManage,
}: {
  notice: Notice
  site: SiteConfig
  onDecide: OnDecide
  onManage: () => void
}) => {
  const { words } = notice
  return (
    <section class={`card ${site.layout ?? ''}`} part="banner" aria-labelledby="title">
      <h2 id="title">{words.title}</h2>
      <Text notice={notice} more={site.crossDevice && words.crossDevice} />
      <Actions words={words} onDecide={onDecide}>
        <button type="button" part="button" class="plain" onClick={onManage}>
          {words.manage}
        </button>
      </Actions>
    </section>
  )
}
