import Foundation
import TensorIO
import TestSupport
import Testing
import Training

/// Runs `body` with the path of a log in a folder that is removed afterwards.
private func withLog(_ body: (String) throws -> Void) throws {
    let folder = try Fixtures.scratchFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.appending(path: "metrics.jsonl").path)
}

private func metrics(_ step: Int, loss: Double? = nil) -> StepMetrics {
    StepMetrics(
        step: step, loss: loss ?? 1 / Double(step), mse: 0.1, loadBalance: 1.25, routerZ: nil, gradNorm: 1e-7,
        learningRate: 1, d: 1e-6, seconds: 0.5, samplesPerSecond: 4, load: ["b": [0.25, 0.75], "a": [1, 0]])
}

@Suite struct MetricLogTests {
    @Test func aLine() {
        #expect(
            metrics(3).json == """
                {"step": 3, "loss": 0.3333333333333333, "mse": 0.1, "load_balance": 1.25, "grad_norm": 1e-07, \
                "learning_rate": 1.0, "d": 1e-06, "seconds": 0.5, "samples_per_second": 4.0, \
                "load": {"a": [1.0, 0.0], "b": [0.25, 0.75]}}
                """)
    }

    @Test func everyNumberReadsBackBitForBit() throws {
        try withLog { path in
            var written: [StepMetrics] = []
            do {
                let log = try MetricLog(path)
                for step in 1...50 {
                    written.append(metrics(step, loss: Double(Float(1) / Float(step)) * 1.000000123))
                    try log.append(written.last!)
                }
            }
            #expect(try MetricLog.read(path) == written)
        }
    }

    @Test func nameWithQuotesAndNaN() throws {
        try withLog { path in
            var odd = metrics(1, loss: .nan)
            odd.load = ["a\"b\\c\n": [.infinity]]
            odd.gradNorm = .infinity
            try MetricLog(path).append(odd)
            let read = try MetricLog.read(path)
            #expect(read.count == 1 && read[0].loss.isNaN && read[0].gradNorm?.isNaN == true)
            #expect(read[0].load?["a\"b\\c\n"]?.count == 1)
        }
    }

    @Test func aResumedRunRepeatsNothing() throws {
        try withLog { path in
            let first = try MetricLog(path)
            for step in 1...7 { try first.append(metrics(step)) }
            let second = try MetricLog(path, resumingAfter: 5)
            try second.append(metrics(6, loss: 6))
            #expect(try MetricLog.read(path).map(\.step) == [1, 2, 3, 4, 5, 6])
            #expect(try MetricLog.read(path).last?.loss == 6)
            let folder = URL(filePath: path).deletingLastPathComponent().path
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["metrics.jsonl"])
        }
    }

    @Test func aNewRunStartsEmpty() throws {
        try withLog { path in
            try MetricLog(path).append(metrics(1))
            _ = try MetricLog(path)
            #expect(try MetricLog.read(path).isEmpty)
        }
    }

    /// Kill -9 may leave any number of bytes of the last line.
    @Test func aLineThatWasCutOffIsDropped() throws {
        try withLog { path in
            let whole = metrics(1).json + "\n"
            let next = metrics(2).json
            for count in 1...next.utf8.count {
                try (whole + next.prefix(count)).write(toFile: path, atomically: true, encoding: .utf8)
                let steps = count == next.count ? [1, 2] : [1]
                #expect(try MetricLog.read(path).map(\.step) == steps, "\(count) bytes")
                let log = try MetricLog(path, resumingAfter: 2)
                try log.append(metrics(3))
                #expect(try MetricLog.read(path).map(\.step) == steps + [3], "\(count) bytes")
            }
        }
    }

    @Test(arguments: [
        ("{\"step\": 1, \"lo\n", "line 2", "a JSON object with step, loss and mse"), ("\n", "line 2", "an empty line"),
        ("\u{0}\u{1}\n", "line 2", "'··'"), (metrics(1).json + "\n", "line 2", "a step after 1, found 1"),
    ])
    func damageInTheMiddleIsNamed(middle: String, key: String, part: String) throws {
        try withLog { path in
            try (metrics(1).json + "\n" + middle + metrics(3).json + "\n")
                .write(toFile: path, atomically: true, encoding: .utf8)
            let before = try Data(contentsOf: URL(filePath: path))
            let error = try #require(throws: FileError.self) { try MetricLog(path, resumingAfter: 3) }
            #expect(error.key == key)
            #expect(error.description.contains(part), "\(error)")
            #expect(try Data(contentsOf: URL(filePath: path)) == before)
        }
    }

    @Test func placesThatCannotBeWritten() throws {
        try withLog { path in
            #expect(throws: FileError.self) { try MetricLog(path + "/no/folder") }
            #expect(throws: FileError.self) { try MetricLog.read(path) }
            let folder = URL(filePath: path).deletingLastPathComponent().path
            #expect(throws: FileError.self) { try MetricLog(folder) }
        }
    }

    /// A process whose files may not grow stands for a full disk.
    @Test func linesThatFoundNoRoomComeLater() async {
        await #expect(processExitsWith: .success) {
            try withLog { path in
                signal(SIGXFSZ, SIG_IGN)
                func allow(_ byteCount: UInt) {
                    var limit = rlimit(rlim_cur: byteCount, rlim_max: .max)
                    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
                }
                let line = metrics(1).json.utf8.count + 1
                allow(UInt(4 * line + line / 2))
                var log: MetricLog? = try MetricLog(path)
                var faults = 0
                for step in 1...9 { do { try log?.append(metrics(step)) } catch { faults += 1 } }
                let fitted = 9 - faults
                try #require(faults > 0 && fitted > 0)
                try #require(try MetricLog.read(path).map(\.step) == Array(1...fitted))
                let unsaved = try #require(log?.unsaved())
                try #require(unsaved.map(\.step) == Array(fitted + 1...9))

                // A session that goes on while the disk is still full, and one that finds room.
                log = nil
                log = try MetricLog(path, resumingAfter: 8, missing: unsaved)
                try #require(log?.waiting.map(\.step) == Array(fitted + 1...8))
                try #require(try MetricLog.read(path).map(\.step) == Array(1...fitted))
                allow(.max)
                log = nil
                let last = try MetricLog(path, resumingAfter: 8, missing: unsaved)
                try last.append(metrics(9))
                try #require(last.waiting.isEmpty && last.unsaved().isEmpty)
                try #require(try MetricLog.read(path) == (1...9).map { metrics($0) })
            }
        }
    }

    /// `cp -al` makes a copy of a run whose files are the original's.
    @Test func aCopyByHardLinksLeavesTheOriginalAlone() throws {
        try withLog { path in
            do {
                let log = try MetricLog(path)
                for step in 1...5 { try log.append(metrics(step)) }
            }
            let copy = path + ".copy"
            try FileManager.default.linkItem(atPath: path, toPath: copy)
            do { try MetricLog(copy, resumingAfter: 2).append(metrics(3, loss: 9)) }
            #expect(try MetricLog.read(path) == (1...5).map { metrics($0) })
            #expect(try MetricLog.read(copy).map(\.step) == [1, 2, 3])
        }
    }

    @Test func aFullDiskIsNamed() throws {
        let log = try MetricLog.onFullDevice()
        let error = try #require(throws: FileError.self) { try log.append(metrics(1)) }
        #expect(error.description.contains("No space left on device"))
    }
}

extension MetricLog {
    /// A log on the device that is always full, reached by a link so that nothing tries to read it first.
    fileprivate static func onFullDevice() throws -> MetricLog {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let fifo = folder.appending(path: "full").path
        try FileManager.default.createSymbolicLink(atPath: fifo, withDestinationPath: "/dev/full")
        return try MetricLog(fifo)
    }
}
