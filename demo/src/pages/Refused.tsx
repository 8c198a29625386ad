/** @jsxImportSource hono/jsx */
/** A page that says why a request was not carried out, and the way on. */
import { Layout, type PageContext } from './Layout.js'

export function Refused({ page, title, text }: { page: PageContext; title: string; text: string }) {
  return (
    <Layout page={page} title={title} current="/" dock={false}>
      <h1>{title}</h1>
      <p class="lead">{text}</p>
      <p>
        <a class="button" href={page.account ? '/dashboard' : '/'}>
          {page.account ? 'To the overview' : 'To the start page'}
        </a>
      </p>
    </Layout>
  )
}
