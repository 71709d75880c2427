import Foundation
import Synchronization
import TensorIO
import TestSupport
import Testing

@Suite struct PictureBudgetTests {
    /// Sixteen threads that want a third each: no more than three have it at a time, and all get their turn.
    @Test func threadsShareABudget() {
        let budget = PictureBudget(byteCount: 300)
        let now = Mutex((held: 0, most: 0, done: 0))
        DispatchQueue.concurrentPerform(iterations: 64) { _ in
            budget.withRoom(for: 100) {
                now.withLock { state in
                    state.held += 1
                    state.most = max(state.most, state.held)
                }
                Thread.sleep(forTimeInterval: 0.0005)
                now.withLock { state in
                    state.held -= 1
                    state.done += 1
                }
            }
        }
        now.withLock { state in
            #expect(state.most <= 3 && state.done == 64)
        }
        #expect(budget.mostUsed <= 300 && budget.mostUsed >= 100)
    }

    @Test func whatIsLargerThanAllGoesAlone() throws {
        struct Fault: Error {}
        let budget = PictureBudget(byteCount: 10)
        #expect(budget.withRoom(for: 1000) { 3 } == 3)
        // A fault gives the room back too.
        for _ in 0..<3 { #expect(throws: Fault.self) { try budget.withRoom(for: 8) { throw Fault() } } }
        #expect(budget.withRoom(for: 10) { 4 } == 4)
        #expect(budget.mostUsed == 1000)
    }

    /// What a decoder needs at its most: a picture, a second one to turn it, coefficients that wait for the last scan.
    @Test(arguments: [
        ("rgb8.png", 1), ("exif6.png", 2), ("baseline420.jpg", 1), ("exif6.jpg", 2), ("progressive420.jpg", 3),
    ])
    func decodingIsCounted(name: String, copies: Int) throws {
        let bytes = try ImageFixtures.bytes(name)
        try bytes.withUnsafeBytes { raw in
            let image = try Image(decoding: raw, name: name)
            #expect(try Image.decodingByteCount(raw, name: name) == image.pixels.count * copies)
            #expect(try Image.withDecoded(raw, name: name) { $0 } == image)
        }
    }
}
