"""Where a dataset's bytes lie: compact, contiguous, in chunks, or outside of the file."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.scanners.hdf5.heaps import global_object, local_heap, name_in
from tidegate.scanners.hdf5.space import BrokenError, Cursor, Space, TooMuchError, is_defined
from tidegate.scanners.hdf5.trees import chunk_places, records_of

_MAX_CHUNKS = 200_000


class Storage(enum.IntEnum):
    """How a dataset's bytes are kept."""

    COMPACT = 0
    CONTIGUOUS = 1
    CHUNKED = 2
    VIRTUAL = 3


class ChunkIndex(enum.IntEnum):
    """How a dataset's chunks are found; OLD_TREE is that of layout messages before version 4."""

    OLD_TREE = 0
    SINGLE = 1
    IMPLICIT = 2
    FIXED_ARRAY = 3
    EXTENSIBLE_ARRAY = 4
    TREE = 5


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout message.

    `data` is a compact dataset's bytes; `address` and `size` a contiguous one's. `chunk` is the
    size in bytes of a chunk before filters, `rank` counts the element as one more dimension.
    `single` is stored size and mask of a filtered single chunk.
    """

    storage: Storage
    data: bytes = b""
    address: int = 0
    size: int = 0
    index: ChunkIndex = ChunkIndex.OLD_TREE
    rank: int = 0
    chunk: int = 0
    single: tuple[int, int] | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """One stored chunk: where, how many bytes, and which filters were left out for it."""

    address: int
    size: int
    mask: int


def read_layout(cursor: Cursor) -> Layout:
    """The layout at the cursor."""
    version = cursor.number(1)
    if version in {1, 2}:
        return _early(cursor)
    if version not in {3, 4, 5}:
        raise BrokenError(f"a layout of version {version}")
    storage = _storage(cursor.number(1))
    if storage is Storage.COMPACT:
        return Layout(storage, data=cursor.take(cursor.number(2)))
    if storage is Storage.CONTIGUOUS:
        return Layout(storage, address=cursor.address(), size=cursor.size())
    if storage is Storage.VIRTUAL:
        return Layout(storage, address=cursor.address(), number=cursor.number(4))
    if version == 3:
        rank, address = cursor.number(1), cursor.address()
        chunk = _product(cursor, rank, 4)
        return Layout(storage, address=address, rank=rank, chunk=chunk)
    return _chunked(cursor)


def _storage(number: int) -> Storage:
    try:
        return Storage(number)
    except ValueError:
        raise BrokenError(f"a layout of class {number}") from None


def _product(cursor: Cursor, rank: int, width: int) -> int:
    product = 1
    for _ in range(rank):
        product *= cursor.number(width)
    return product


def _early(cursor: Cursor) -> Layout:
    rank, storage = cursor.number(1), _storage(cursor.number(1))
    cursor.skip(5)
    address = 0 if storage is Storage.COMPACT else cursor.address()
    product = _product(cursor, rank, 4)
    if storage is Storage.COMPACT:
        return Layout(storage, data=cursor.take(cursor.number(4)))
    if storage is Storage.CONTIGUOUS:
        return Layout(storage, address=address, size=product)
    # As later: the element's size is the last of the dimensions.
    return Layout(storage, address=address, rank=rank, chunk=product)


def _chunked(cursor: Cursor) -> Layout:
    flags, rank, width = cursor.number(1), cursor.number(1), cursor.number(1)
    chunk = _product(cursor, rank, width)
    try:
        index = ChunkIndex(cursor.number(1))
    except ValueError:
        raise BrokenError("chunks with an index of unknown kind") from None
    single = None
    match index:
        case ChunkIndex.SINGLE if flags & 2:
            single = cursor.size(), cursor.number(4)
        case ChunkIndex.FIXED_ARRAY:
            cursor.skip(1)
        case ChunkIndex.EXTENSIBLE_ARRAY:
            cursor.skip(5)
        case ChunkIndex.TREE:
            cursor.skip(6)
        case ChunkIndex.OLD_TREE:
            raise BrokenError("chunks with an index of unknown kind")
    return Layout(Storage.CHUNKED, b"", cursor.address(), 0, index, rank, chunk, single=single)


def chunks_of(space: Space, layout: Layout, elements: int, element: int) -> Iterator[Chunk]:
    """The stored chunks of a dataset of that many elements of that size, in their index' order."""
    if not is_defined(layout.address, space):
        return
    for count, chunk in enumerate(_chunks(space, layout, elements, element)):
        if count >= _MAX_CHUNKS:
            raise TooMuchError(f"a dataset with more than {_MAX_CHUNKS} chunks")
        if is_defined(chunk.address, space):
            yield chunk


def _chunks(space: Space, layout: Layout, elements: int, element: int) -> Iterator[Chunk]:
    at = layout.address
    match layout.index:
        case ChunkIndex.OLD_TREE:
            for address, size, mask in chunk_places(space, at, layout.rank):
                yield Chunk(address, size, mask)
        case ChunkIndex.SINGLE:
            yield Chunk(at, *(layout.single or (layout.chunk, 0)))
        case ChunkIndex.IMPLICIT:
            # Chunks at the edges are whole, so there may be more of them; none is compressed.
            whole = -(-elements * element // max(1, layout.chunk))
            for index in range(whole):
                yield Chunk(at + index * layout.chunk, layout.chunk, 0)
        case ChunkIndex.TREE:
            yield from _tree(space, at, layout)
        case ChunkIndex.FIXED_ARRAY:
            yield from _fixed_array(space, at, layout)
        case ChunkIndex.EXTENSIBLE_ARRAY:
            yield from _extensible_array(space, at, layout)


def _tree(space: Space, at: int, layout: Layout) -> Iterator[Chunk]:
    kind = space.at(at, 6)[5]
    scaled = 8 * (layout.rank - 1)
    for record in records_of(space, at):
        cursor = Cursor(record, space)
        address = cursor.address()
        if kind == 10:
            yield Chunk(address, layout.chunk, 0)
        else:
            yield Chunk(address, cursor.number(cursor.left - 4 - scaled), cursor.number(4))


def _entry(cursor: Cursor, width: int, layout: Layout) -> Chunk:
    address = cursor.address()
    if width == cursor.space.offset:
        return Chunk(address, layout.chunk, 0)
    return Chunk(address, cursor.number(width - cursor.space.offset - 4), cursor.number(4))


def _fixed_array(space: Space, at: int, layout: Layout) -> Iterator[Chunk]:
    head = space.cursor(at, 8 + space.length + space.offset, b"FAHD")
    head.skip(2)
    width, page_bits = head.number(1), head.number(1)
    count, block = head.size(), head.address()
    if width < space.offset:
        raise BrokenError("a chunk index whose entries are too short")
    if not is_defined(block, space):
        return
    prefix = 6 + space.offset
    space.cursor(block, prefix, b"FADB")
    per_page = 1 << page_bits if page_bits < 32 else count
    if count <= per_page:
        entries = space.cursor(block + prefix, count * width)
        for _ in range(count):
            yield _entry(entries, width, layout)
        return
    pages = -(-count // per_page)
    bitmap_size = (pages + 7) // 8
    bitmap = space.at(block + prefix, bitmap_size)
    first = block + prefix + bitmap_size + 4
    for page in range(pages):
        if not bitmap[page // 8] & (0x80 >> page % 8):
            continue
        held = min(per_page, count - page * per_page)
        entries = space.cursor(first + page * (per_page * width + 4), held * width)
        for _ in range(held):
            yield _entry(entries, width, layout)


def _extensible_array(space: Space, at: int, layout: Layout) -> Iterator[Chunk]:
    """By the library's H5EA: an index block, then data blocks, then super blocks of data blocks."""
    head = space.cursor(at, 12 + 6 * space.length + space.offset, b"EAHD")
    head.skip(2)
    width, bits, in_index = head.number(1), head.number(1), head.number(1)
    per_block, min_pointers, page_bits = head.number(1), head.number(1), head.number(1)
    for _ in range(6):
        head.size()
    index_block = head.address()
    numbers_hold = width >= space.offset and per_block and min_pointers and bits <= 64
    if not numbers_hold or per_block & (per_block - 1) or min_pointers & (min_pointers - 1):
        raise BrokenError("a chunk index whose numbers make no sense")
    if not is_defined(index_block, space):
        return
    supers = 1 + bits - (per_block.bit_length() - 1)
    first_super = 2 * (min_pointers.bit_length() - 1)
    shapes = [(1 << (n // 2), per_block << ((n + 1) // 2)) for n in range(supers)]
    direct = [held for count, held in shapes[:first_super] for _ in range(count)]
    rest = shapes[first_super:]
    size = 6 + space.offset + in_index * width + (len(direct) + len(rest)) * space.offset
    block = space.cursor(index_block, size, b"EAIB")
    block.skip(2 + space.offset)
    for _ in range(in_index):
        yield _entry(block, width, layout)
    offset_size = (bits + 7) // 8
    per_page = 1 << page_bits
    for held in direct:
        yield from _data_block(space, block.address(), held, per_page, offset_size, width, layout)
    for count, held in rest:
        place = block.address()
        if not is_defined(place, space):
            continue
        prefix = 6 + space.offset + offset_size
        bitmap = count * -(-(held // per_page) // 8) if held > per_page else 0
        inner = space.cursor(place, prefix + bitmap + count * space.offset, b"EASB")
        inner.skip(prefix - 4 + bitmap)
        for _ in range(count):
            yield from _data_block(
                space, inner.address(), held, per_page, offset_size, width, layout
            )


def _data_block(
    space: Space, at: int, held: int, per_page: int, offset_size: int, width: int, layout: Layout
) -> Iterator[Chunk]:
    if not is_defined(at, space):
        return
    prefix = 6 + space.offset + offset_size
    space.cursor(at, prefix, b"EADB")
    if held <= per_page:
        entries = space.cursor(at + prefix, held * width)
        for _ in range(held):
            yield _entry(entries, width, layout)
        return
    for page in range(held // per_page):
        start = at + prefix + 4 + page * (per_page * width + 4)
        entries = space.cursor(start, per_page * width)
        for _ in range(per_page):
            chunk = _entry(entries, width, layout)
            # A page that was never written is all zeros.
            if chunk.address:
                yield chunk


def external_files(space: Space, cursor: Cursor) -> list[str]:
    """The files that an external file list names."""
    cursor.skip(4)
    cursor.number(2)
    used = cursor.number(2)
    heap = local_heap(space, cursor.address())
    names = []
    for _ in range(used):
        names.append(name_in(heap, cursor.size()).decode("utf-8", "backslashreplace"))
        cursor.size()
        cursor.size()
    return names


def virtual_source(space: Space, layout: Layout) -> str:
    """The first file that a virtual dataset maps; "." stands for the file itself."""
    if not is_defined(layout.address, space):
        return "."
    cursor = Cursor(global_object(space, layout.address, layout.number), space)
    cursor.skip(1)
    if not cursor.size():
        return "."
    return cursor.text().decode("utf-8", "backslashreplace")
