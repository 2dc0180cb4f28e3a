//! Doubly linked lists through things in an [`Arena`]: removal from the middle without a search, order kept.

use std::marker::PhantomData;

use super::arena::{Arena, Id};

/// A thing's place in a list.
#[derive(Debug)]
pub struct Links<T> {
    prev: Option<Id<T>>,
    next: Option<Id<T>>,
}

impl<T> Default for Links<T> {
    fn default() -> Self {
        Self { prev: None, next: None }
    }
}

/// Says where a thing keeps its place in the lists of kind `L`.
pub trait InList<L>: Sized {
    /// The place.
    fn links(&self) -> &Links<Self>;
    /// The place, to change it.
    fn links_mut(&mut self) -> &mut Links<Self>;
}

/// A list of kind `L`.
#[derive(Debug)]
pub struct List<T, L> {
    head: Option<Id<T>>,
    tail: Option<Id<T>>,
    kind: PhantomData<fn() -> L>,
}

impl<T, L> Default for List<T, L> {
    fn default() -> Self {
        Self { head: None, tail: None, kind: PhantomData }
    }
}

impl<T, L> Clone for List<T, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, L> Copy for List<T, L> {}

impl<T: InList<L>, L> List<T, L> {
    /// The first.
    pub fn head(&self) -> Option<Id<T>> {
        self.head
    }

    /// The last.
    pub fn tail(&self) -> Option<Id<T>> {
        self.tail
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// The one after `id`.
    pub fn next(arena: &Arena<T>, id: Id<T>) -> Option<Id<T>> {
        arena[id].links().next
    }

    /// The one before `id`.
    pub fn prev(arena: &Arena<T>, id: Id<T>) -> Option<Id<T>> {
        arena[id].links().prev
    }

    /// Puts `id` at the end.
    pub fn append(&mut self, arena: &mut Arena<T>, id: Id<T>) {
        self.insert_between(arena, self.tail, id, None);
    }

    /// Puts `id` at the start.
    pub fn prepend(&mut self, arena: &mut Arena<T>, id: Id<T>) {
        self.insert_between(arena, None, id, self.head);
    }

    /// Puts `id` directly before `successor`; `None` is the end.
    pub fn insert_before(&mut self, arena: &mut Arena<T>, id: Id<T>, successor: Option<Id<T>>) {
        let prev = match successor {
            Some(successor) => Self::prev(arena, successor),
            None => self.tail,
        };
        self.insert_between(arena, prev, id, successor);
    }

    fn insert_between(&mut self, arena: &mut Arena<T>, prev: Option<Id<T>>, id: Id<T>, next: Option<Id<T>>) {
        *arena[id].links_mut() = Links { prev, next };
        match prev {
            Some(prev) => arena[prev].links_mut().next = Some(id),
            None => self.head = Some(id),
        }
        match next {
            Some(next) => arena[next].links_mut().prev = Some(id),
            None => self.tail = Some(id),
        }
    }

    /// Takes `id` out.
    pub fn unlink(&mut self, arena: &mut Arena<T>, id: Id<T>) {
        let Links { prev, next } = std::mem::take(arena[id].links_mut());
        match prev {
            Some(prev) => arena[prev].links_mut().next = next,
            None => self.head = next,
        }
        match next {
            Some(next) => arena[next].links_mut().prev = prev,
            None => self.tail = prev,
        }
    }

    /// Makes the list start with what follows `id`, so that `id` is the last: round robin.
    pub fn rotate_past(&mut self, arena: &mut Arena<T>, id: Id<T>) {
        let (Some(head), Some(tail)) = (self.head, self.tail) else { return };
        let Some(next) = Self::next(arena, id) else { return };
        arena[tail].links_mut().next = Some(head);
        arena[head].links_mut().prev = Some(tail);
        arena[id].links_mut().next = None;
        arena[next].links_mut().prev = None;
        (self.head, self.tail) = (Some(next), Some(id));
    }

    /// All, in order.
    pub fn iter<'a>(&self, arena: &'a Arena<T>) -> impl Iterator<Item = Id<T>> + use<'a, T, L> {
        std::iter::successors(self.head, |&id| Self::next(arena, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Plain;
    struct Node(char, Links<Node>);

    impl InList<Plain> for Node {
        fn links(&self) -> &Links<Node> {
            &self.1
        }

        fn links_mut(&mut self) -> &mut Links<Node> {
            &mut self.1
        }
    }

    fn text(list: &List<Node, Plain>, arena: &Arena<Node>) -> String {
        list.iter(arena).map(|id| arena[id].0).collect()
    }

    #[test]
    fn order_is_kept() {
        let mut arena = Arena::default();
        let mut list = List::<Node, Plain>::default();
        let ids: Vec<_> = "bcd".chars().map(|c| arena.insert(Node(c, Links::default()))).collect();
        for &id in &ids {
            list.append(&mut arena, id);
        }
        let a = arena.insert(Node('a', Links::default()));
        list.prepend(&mut arena, a);
        assert_eq!(text(&list, &arena), "abcd");
        list.rotate_past(&mut arena, ids[0]);
        assert_eq!(text(&list, &arena), "cdab");
        list.rotate_past(&mut arena, ids[0]);
        assert_eq!(text(&list, &arena), "cdab");
        list.unlink(&mut arena, ids[2]);
        assert_eq!(text(&list, &arena), "cab");
        list.insert_before(&mut arena, ids[2], Some(a));
        assert_eq!(text(&list, &arena), "cdab");
        list.unlink(&mut arena, ids[1]);
        list.unlink(&mut arena, ids[0]);
        assert_eq!(text(&list, &arena), "da");
        assert_eq!((list.head(), list.tail()), (Some(ids[2]), Some(a)));
        arena.remove(a);
        assert!(arena.get(a).is_none());
        let again = arena.insert(Node('e', Links::default()));
        assert_ne!(a, again);
    }
}
