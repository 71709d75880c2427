import TensorCore
import TestSupport
import Testing

@Suite struct ProfileTests {
    @Test func everyPrimitiveIsCountedAndUnchanged() throws {
        let profile = Profile()
        let a = Tensor.sample([4, 3], seed: 1)
        let b = Tensor.sample([3, 5], seed: 2)
        let plain = (a.matrixProduct(b) + 1).softmax()
        let measured = Device.withBackend(ProfilingBackend(CPUBackend(), profile)) {
            (a.matrixProduct(b) + 1).softmax()
        }
        #expect(measured.isIdentical(to: plain))
        let entries = Dictionary(uniqueKeysWithValues: profile.sorted.map { ($0.name, $0.entry) })
        let product = try #require(entries["matrix product"])
        #expect(product.calls == 1)
        #expect(product.operations == 120)  // two for each of 4 x 3 x 5
        #expect(entries["affine"]?.calls == 1 && entries["softmax"]?.calls == 1)
        let table = profile.table(total: 10)
        #expect(table.contains("matrix product") && table.contains("between primitives"))
        profile.reset()
        #expect(profile.sorted.isEmpty)
    }

    @Test func productsAreToldApartByShape() {
        let profile = Profile(showsShapes: true)
        let (a, b) = (Tensor.sample([2, 4, 3], seed: 1), Tensor.sample([2, 3, 5], seed: 2))
        profile.record {
            _ = a.matrixProduct(b)
            _ = a.sliced(axis: 0, 0..<1).squeezed(0).matrixProduct(b.sliced(axis: 0, 0..<1).squeezed(0))
        }
        #expect(Set(profile.sorted.map(\.name)) == ["matrix product, 2 of 4 x 5 x 3", "matrix product, 4 x 5 x 3"])
    }

    @Test func phasesAreMeasuredInTheirOrder() async {
        // In a process of its own: the peak of memory is the whole process's.
        await #expect(processExitsWith: .success) {
            let profile = Profile()
            let kept = profile.record {
                (0..<2).map { _ in
                    let kept = Profile.phase("forward") { Tensor(full: [1 << 18], 1) + 1 }
                    Profile.phase("backward") { _ = kept + kept }
                    return kept
                }
            }
            #expect(profile.phases.map(\.name) == ["forward", "backward"])
            #expect(profile.phases.allSatisfy { $0.phase.calls == 2 && $0.phase.seconds > 0 })
            // Two results of 1 MiB live at the end, and one that the last phase drops.
            #expect(profile.phases[1].phase.peakBytes >= 3 << 20 && profile.phases[1].phase.peakBytes < 4 << 20)
            #expect(profile.table(total: 1).contains("backward") && kept.count == 2)
            #expect(profile.sorted.contains { $0.name == "add" })
            #expect(Profile.phase("alone") { 7 } == 7 && profile.phases.count == 2)
            profile.reset()
            #expect(profile.phases.isEmpty)
        }
    }
}
