import Foundation
import TensorCore
import TestSupport
import Testing

@Suite struct StorageTests {
    @Test func copiesShareStorageAndViewsToo() {
        let x = Tensor.sample([2, 3], seed: 1)
        #expect(x.transposed().storage === x.storage)
        #expect(x.copied().storage !== x.storage)
        #expect(x.contiguous().storage === x.storage)
        #expect(x.transposed().contiguous().storage !== x.storage)
        #expect(x.converted(to: .float32).storage === x.storage)
    }

    @Test func ownedStorageIsAligned() {
        for count in [0, 1, 5, 1000] {
            let storage = Storage(byteCount: count)
            #expect(Int(bitPattern: storage.base) % 64 == 0)
            #expect(storage.byteCount == count && storage.isMutable)
        }
    }

    @Test func mappedFilesAreReadInPlaceAndReadOnly() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "numbers").path
        let values: [Float] = [1, -2, 3.5, 4]
        try values.withUnsafeBytes { Data($0) }.write(to: URL(filePath: path))
        let file = try MappedFile(path: path)
        let tensor = file.tensor(dtype: .float32, shape: [2, 2], byteOffset: 0)
        #expect(tensor.floats == values)
        #expect(!tensor.storage.isMutable)
        #expect(file.tensor(dtype: .float32, shape: [3], byteOffset: 4).floats == [-2, 3.5, 4])
        // Where the bytes are not aligned the tensor owns a copy.
        let unaligned = file.tensor(dtype: .float32, shape: [3], byteOffset: 1)
        #expect(unaligned.storage.isMutable)
        #expect(unaligned.count == 3)
        #expect(throws: MappedFile.Failure.self) { try MappedFile(path: folder.path) }
        #expect(throws: MappedFile.Failure.self) { try MappedFile(path: path + ".absent") }
    }

    @Test func anEmptyFileMaps() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "empty").path
        try Data().write(to: URL(filePath: path))
        let file = try MappedFile(path: path)
        #expect(file.byteCount == 0)
        #expect(file.tensor(dtype: .float32, shape: [0, 3], byteOffset: 0).floats == [])
    }

    @Test func writingIntoAMappedFileIsRefused() async {
        await #expect(processExitsWith: .failure) {
            let target = readOnlyTensor()
            target.assign(Tensor(zeros: [4]))
        }
        await #expect(processExitsWith: .failure) {
            let target = readOnlyTensor()
            target.accumulate(Tensor(zeros: [4]))
        }
        await #expect(processExitsWith: .failure) {
            let target = readOnlyTensor()
            let options = AdamWStepOptions(
                learningRate: 0, beta1: 0, beta2: 0, epsilon: 1, weightDecay: 0, biasCorrection1: 1, biasCorrection2: 1)
            let other = Tensor(zeros: [4])
            Device.backend.adamWStep(target, gradient: other, first: other, second: other, options: options)
        }
    }

    @Test func aViewThatLeavesItsStorageIsRefused() async {
        await #expect(processExitsWith: .failure) {
            _ = Tensor(storage: Storage(byteCount: 15), dtype: .float32, shape: [4])
        }
        await #expect(processExitsWith: .failure) {
            _ = Tensor(storage: Storage(byteCount: 64), dtype: .float32, shape: [2, 2], strides: [16, 1])
        }
    }

    // In a process of its own: the account is one for the whole process, where other tests run too.
    @Test func theAccountCountsLivingStorages() async {
        await #expect(processExitsWith: .success) {
            let (blocks, bytes) = (MemoryAccount.currentBlocks, MemoryAccount.currentBytes)
            MemoryAccount.resetPeak()
            do {
                let x = Tensor(zeros: [256])
                let view = x.reshaped(to: [16, 16]).transposed()
                #expect(MemoryAccount.currentBlocks == blocks + 1)
                #expect(MemoryAccount.currentBytes == bytes + 1024)
                _ = view.copied()
                #expect(view.shape == [16, 16])
            }
            #expect(MemoryAccount.currentBlocks == blocks)
            #expect(MemoryAccount.currentBytes == bytes)
            #expect(MemoryAccount.peakBytes >= bytes + 2048)
        }
    }
}

/// Four numbers of a mapped file. Ends the process in peace if that fails, so that a test which expects a crash fails.
private func readOnlyTensor() -> Tensor {
    guard let file = try? MappedFile(path: Fixtures.path("random.safetensors")) else { exit(0) }
    return file.tensor(dtype: .float32, shape: [4], byteOffset: 0)
}
