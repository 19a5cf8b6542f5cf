"""From draft to GO and while it runs, on the page of a campaign: the checklist, the approval, the buttons of the
controls, GO with its confirmation (`workflow`), and the live parts."""
