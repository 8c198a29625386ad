/** What evidence doesn't show. Every bundle says it in these words, so that whoever reads one isn't told more than it proves. */
export const NOT_PROVED: readonly string[] = [
  'That there is nothing else: that no other record of this person exists, in this log or elsewhere.',
  'That the operator logged everything: what was left out, or made up, before it was logged leaves no trace here.',
  'The times: when something was decided and recorded is the word of the browser and of the operator. Only cosignatures of witnesses, where the checkpoint has any, show when the log had this size at the latest.',
  'Who the person is: a consent id stands for a browser, or an account, of somebody.',
]
