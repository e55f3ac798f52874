"""Memory overcommitment: what a host does when its VMs may use more memory than it has.

The mechanisms (merging pages, swapping them out, a balloon device, noticing accesses) are the
machine world's; what decides is here.
"""
