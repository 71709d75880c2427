import Foundation
import FuzzTargets
import Synchronization

/// Reads inputs one after the other, each written down before, so that whoever outlives this process finds it.
struct FuzzWorker {
    private let target: FuzzTarget
    private let seed: UInt64
    private let count: Int
    private let path: String

    init(_ target: FuzzTarget, seed: UInt64, count: Int, record: String) {
        self.target = target
        self.seed = seed
        self.count = count
        path = record
    }

    func run() throws {
        let record = try FuzzRecord(path)
        let folder = try FuzzFolder()
        var corpus = try FuzzCorpus(target, folder, seed: seed)
        let watch = Watch()
        watch.begin()
        var result = FuzzResult()
        var kinds: Set<String> = []
        let base = Self.mostMemory()
        let begin = Self.processorSeconds()
        for number in 0..<count {
            let input = corpus.next()
            record.note(input, number: number)
            let start = Self.processorSeconds()
            watch.started.store(UInt64(start * 1e6) + 1, ordering: .relaxed)
            let outcome = target.outcome(input, folder)
            watch.started.store(0, ordering: .relaxed)
            corpus.note(input, outcome)
            kinds.insert(outcome)
            let seconds = Self.processorSeconds() - start
            if seconds > result.slowest { (result.slowest, result.slowestLength) = (seconds, input.count) }
            let memory = Self.mostMemory() - base
            if memory > result.memory { (result.memory, result.memoryLength) = (memory, input.count) }
            result.count = number + 1
            if number % 1000 == 0 || number == count - 1 {
                result.kinds = kinds.count
                result.seconds = Self.processorSeconds() - begin
                try record.keep(result)
            }
        }
    }

    fileprivate static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private static func mostMemory() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss << 10
    }
}

/// Ends the process when an input takes too long.
private final class Watch: Sendable {
    /// Processor seconds that one input may take.
    private static let patience = 10.0
    /// When the present input was begun, in microseconds of the process's time; 0 between two.
    let started = Atomic<UInt64>(0)

    func begin() {
        Thread.detachNewThread { [self] in
            while true {
                Thread.sleep(forTimeInterval: 0.5)
                let start = started.load(ordering: .relaxed)
                if start > 0, FuzzWorker.processorSeconds() - Double(start) / 1e6 > Self.patience { abort() }
            }
        }
    }
}

/// The input that is being read and what came of those before, in a file that is mapped: what a process has written there
/// stays when it is killed.
final class FuzzRecord {
    /// Bytes for the length of the input, that of the result, and the number of inputs.
    private static let head = 24
    private static let room = 1 << 20
    private let base: UnsafeMutableRawPointer

    /// Opens or makes the record.
    init(_ path: String) throws {
        let descriptor = open(path, O_RDWR | O_CREAT, 0o600)
        guard descriptor >= 0, ftruncate(descriptor, off_t(Self.head + 2 * Self.room)) == 0 else {
            throw CocoaError(.fileWriteUnknown)
        }
        defer { close(descriptor) }
        let address = mmap(nil, Self.head + 2 * Self.room, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
        guard let address, address != MAP_FAILED else { throw CocoaError(.fileWriteUnknown) }
        base = address
    }

    deinit { munmap(base, Self.head + 2 * Self.room) }

    func note(_ input: [UInt8], number: Int) {
        let kept = min(input.count, Self.room)
        input.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress { (base + Self.head).copyMemory(from: start, byteCount: kept) }
        }
        base.storeBytes(of: kept, as: Int.self)
        base.storeBytes(of: number + 1, toByteOffset: 16, as: Int.self)
    }

    func keep(_ result: FuzzResult) throws {
        let text = [UInt8](try JSONEncoder().encode(result))
        text.withUnsafeBytes { bytes in
            (base + Self.head + Self.room).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
        }
        base.storeBytes(of: text.count, toByteOffset: 8, as: Int.self)
    }

    /// How many inputs were begun.
    var begun: Int { base.load(fromByteOffset: 16, as: Int.self) }

    var input: [UInt8] { bytes(at: Self.head, base.load(as: Int.self)) }

    var result: FuzzResult? {
        let text = bytes(at: Self.head + Self.room, base.load(fromByteOffset: 8, as: Int.self))
        return try? JSONDecoder().decode(FuzzResult.self, from: Data(text))
    }

    private func bytes(at start: Int, _ count: Int) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: base + start, count: min(max(count, 0), Self.room)))
    }
}
