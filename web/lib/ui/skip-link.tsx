// The first stop of the Tab key: past the header, to the content. A button, since a page's own '#' may mean something else.

export function SkipLink({ text, to }: { text: string; to: string }) {
  return (
    <button class="skip" type="button" onClick={() => document.getElementById(to)?.focus()}>
      {text}
    </button>
  )
}
