import Dispatch
import Foundation
import Synchronization
import TensorCore
import TestSupport
import Testing

/// The blocks that storages are made of. What counts bytes runs in a process of its own: the pool is one for the whole
/// process, where other tests run too.
@Suite struct CachingAllocatorTests {
    @Test func classesHoldWhatTheyAreAskedForAndWasteAnEighthAtMost() {
        var sizes = Array(0...5000)
        for shift in 12..<46 { sizes += [-1, 0, 1, 77].map { 1 << shift + $0 << (shift - 10) } }
        for size in sizes {
            let found = SizeClass(holding: size)
            #expect(found.byteCount >= size)
            #expect(found.byteCount <= max(64, size + size / 8))
            // No smaller one would do.
            if found.index > 0 { #expect(SizeClass(index: found.index - 1).byteCount < size) }
            #expect(SizeClass(holding: found.byteCount) == found)
            let within = SizeClass(within: max(size, 64))
            #expect(within.byteCount <= max(size, 64) && SizeClass(index: within.index + 1).byteCount > size)
        }
        for index in 1..<SizeClass.count {
            #expect(SizeClass(index: index).byteCount > SizeClass(index: index - 1).byteCount)
            #expect(SizeClass(index: index).byteCount % 8 == 0)
        }
    }

    @Test func blocksAreAlignedToTheirKind() {
        for count in [0, 1, 63, 64, 65, 4096, 4097, SizeClass.mappedFrom - 1, SizeClass.mappedFrom, 3_000_001] {
            let (a, b) = (Storage(byteCount: count), Storage(byteCount: count))
            let alignment = SizeClass(holding: count).byteCount >= SizeClass.mappedFrom ? 4096 : 64
            #expect(Int(bitPattern: a.base) % alignment == 0 && Int(bitPattern: b.base) % alignment == 0)
            #expect(a.base != b.base)
        }
    }

    @Test func whatComesBackIsLentAgain() async {
        await #expect(processExitsWith: .success) {
            for count in [40, 5000, 1 << 20] {
                let first = UInt(bitPattern: Storage(byteCount: count).base)
                let kept = MemoryAccount.keptBytes
                #expect(kept >= count)
                let storage = Storage(byteCount: count - count / 100)
                #expect(UInt(bitPattern: storage.base) == first)
                #expect(MemoryAccount.keptBytes < kept)
            }
        }
    }

    @Test func zerosAreZerosInUsedBlocksToo() async {
        await #expect(processExitsWith: .success) {
            for count in [10, 10_000, 3_000_000] {
                for _ in 0..<3 {
                    #expect(Tensor(zeros: [count]).floats.allSatisfy { $0 == 0 })
                    _ = Tensor(full: [count], .nan)
                }
            }
        }
    }

    @Test func trimmingGivesEverythingBack() async {
        await #expect(processExitsWith: .success) {
            do { _ = (0..<20).map { Tensor(full: [1000 << $0 / 2], 1) } }
            #expect(MemoryAccount.keptBytes > 1_000_000)
            MemoryAccount.trim()
            #expect(MemoryAccount.keptBytes == 0)
            do { _ = Tensor(full: [1000], 1) }
            #expect(MemoryAccount.keptBytes >= 4000)
            MemoryAccount.keptLimit = 0
            #expect(MemoryAccount.keptBytes == 0)
            do { _ = Tensor(full: [1000], 1) }
            #expect(MemoryAccount.keptBytes == 0)
        }
    }

    @Test func whatIsKeptStaysWithinTheMostThatWasUsed() async {
        await #expect(processExitsWith: .success) {
            MemoryAccount.trim()
            let before = MemoryAccount.currentBytes
            var peak = 0
            // Every size is another class: without a bound all of them would stay.
            for size in stride(from: 4 << 20, to: 64 << 20, by: 4 << 20) {
                let tensor = Tensor(zeros: [size], dtype: .uint8)
                peak = max(peak, MemoryAccount.currentBytes)
                #expect(tensor.count == size)
                #expect(MemoryAccount.currentBytes + MemoryAccount.keptBytes <= (peak + peak / 8) * 9 / 8 + 64 << 20)
            }
            #expect(MemoryAccount.currentBytes == before)
            // A tensor that stays makes no room for blocks that wait, only what comes and goes beside it.
            let large = Tensor(zeros: [100 << 20], dtype: .uint8)
            #expect(MemoryAccount.keptBytes <= 64 << 20)
            for size in stride(from: 4 << 20, through: 64 << 20, by: 4 << 20) {
                _ = Tensor(zeros: [size], dtype: .uint8)
                let used = MemoryAccount.currentBytes
                #expect(used + MemoryAccount.keptBytes <= before + (large.count + size) * 9 / 8 + 64 << 20)
            }
            #expect(large.count == 100 << 20)
        }
    }

    /// Blocks that leave for one of another size give it their pages: the system hands over hardly any.
    @Test func pagesMoveBetweenSizes() async {
        await #expect(processExitsWith: .success) {
            func touched(_ megabytes: Int, mark: UInt8) -> Storage {
                let storage = Storage(byteCount: megabytes << 20)
                storage.base.initializeMemory(as: UInt8.self, repeating: mark, count: storage.byteCount)
                return storage
            }
            func isMarked(_ storage: Storage, _ mark: UInt8) -> Bool {
                UnsafeRawBufferPointer(start: storage.base, count: storage.byteCount).allSatisfy { $0 == mark }
            }
            func freshPages() -> Int {
                var usage = rusage()
                getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
                return usage.ru_minflt
            }
            MemoryAccount.trim()
            MemoryAccount.ownedLimit = MemoryAccount.currentBytes + 34 << 20
            do {
                let held = [touched(12, mark: 1), touched(12, mark: 2), touched(10, mark: 3)]
                #expect(held.count == 3)
            }
            let before = freshPages()
            do {
                // 32 of the 34 megabytes that wait, from three blocks; what is left of the last waits on.
                let large = touched(32, mark: 4)
                #expect(MemoryAccount.keptBytes == 2 << 20)
                #expect(isMarked(large, 4))
            }
            // Blocks of pieces from elsewhere give them away again.
            do {
                let parts = (0..<6).map { touched(5, mark: UInt8(10 + $0)) }
                for (index, part) in parts.enumerated() { #expect(isMarked(part, UInt8(10 + index))) }
            }
            #expect(freshPages() - before < 1000, "62 megabytes are 15872 pages")
            // Pages that moved are not taken for zeros.
            #expect(isMarked(Storage(byteCount: 20 << 20, isZero: true), 0))
        }
    }

    @Test func besideALargePeakNothingWaits() async {
        await #expect(processExitsWith: .success) {
            MemoryAccount.trim()
            // Never touched, so that they take no memory.
            let weights = Storage(byteCount: 1 << 30)
            do { _ = Storage(byteCount: 8 << 20) }
            let most = MemoryAccount.currentBytes + 8 << 20
            for size in 1..<24 {
                _ = Storage(byteCount: size << 18)
                #expect(MemoryAccount.currentBytes + MemoryAccount.keptBytes <= most + 1 << 20)
            }
            #expect(weights.byteCount == 1 << 30)
        }
    }

    @Test func blocksThatNobodyAsksForLeave() async {
        await #expect(processExitsWith: .success) {
            MemoryAccount.trim()
            do { _ = Tensor(zeros: [1 << 20]) }
            #expect(MemoryAccount.keptBytes >= 4 << 20)
            for _ in 0..<70_000 { _ = Storage(byteCount: 8) }
            #expect(MemoryAccount.keptBytes < 1 << 20)
        }
    }

    @Test func aPhaseHasAPeakOfItsOwn() async {
        await #expect(processExitsWith: .success) {
            do { _ = Tensor(zeros: [1 << 20]) }
            let peak = MemoryAccount.peakBytes
            let (held, small) = MemoryAccount.measuringPeak { Tensor(zeros: [1000]) }
            #expect(small >= 4000 && small < 1 << 20)
            #expect(MemoryAccount.peakBytes == peak)
            let (_, large) = MemoryAccount.measuringPeak { _ = Tensor(zeros: [2 << 20]) }
            #expect(large >= 8 << 20 && MemoryAccount.peakBytes == large)
            #expect(held.count == 1000)
        }
    }

    @Test func threadsNeverShareABlock() {
        #expect(faultsOfThreads(rounds: 2000, held: 16) { Int($1 * Float(1 << ($0 % 18))) } == 0)
    }

    /// The same with blocks that are large enough to give each other their pages, in use nearly up to the limit, so that they
    /// do.
    @Test func threadsNeverShareAPage() async {
        await #expect(processExitsWith: .success) {
            // Each of the threads that run at once holds some six megabytes.
            let threads = min(8, ProcessInfo.processInfo.activeProcessorCount)
            MemoryAccount.ownedLimit = MemoryAccount.currentBytes + threads * (6 << 20)
            #expect(faultsOfThreads(rounds: 100, held: 4) { (1 << 20) + Int($1 * Float(1 << 20)) } == 0)
        }
    }
}

/// The bytes that were not as they were written: each of eight threads writes its mark into blocks of the lengths that
/// `length` gives for a round and a number in 0..<1, holds some of them and reads each again before it goes.
private func faultsOfThreads(rounds: Int, held most: Int, length: @Sendable (Int, Float) -> Int) -> Int {
    let faults = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
        var random = Random(seed: UInt64(thread))
        var held: [(storage: Storage, mark: UInt8)] = []
        for round in 0..<rounds {
            let storage = Storage(byteCount: length(round, random.uniform()))
            let mark = UInt8(truncatingIfNeeded: thread &* 31 &+ round)
            storage.base.initializeMemory(as: UInt8.self, repeating: mark, count: storage.byteCount)
            held.append((storage, mark))
            if held.count < most { continue }
            let (old, oldMark) = held.remove(at: round % most)
            for place in 0..<old.byteCount where old.base.load(fromByteOffset: place, as: UInt8.self) != oldMark {
                faults.wrappingAdd(1, ordering: .relaxed)
            }
        }
    }
    return faults.load(ordering: .relaxed)
}
