// Expo's own client against the sandbox: sends the messages of its input, fetches the receipts, prints both as JSON.
import { Expo } from 'expo-server-sdk';

const { messages, accessToken } = JSON.parse(process.argv[2]);
const expo = new Expo({ accessToken, retryMinTimeout: 1 });
try {
  const tickets = [];
  for (const chunk of expo.chunkPushNotifications(messages)) {
    tickets.push(...(await expo.sendPushNotificationsAsync(chunk)));
  }
  const ids = tickets.filter((ticket) => ticket.status === 'ok').map((ticket) => ticket.id);
  const receipts = {};
  for (const chunk of expo.chunkPushNotificationReceiptIds(ids)) {
    Object.assign(receipts, await expo.getPushNotificationReceiptsAsync(chunk));
  }
  console.log(JSON.stringify({ tickets, receipts }));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, status: error.statusCode, details: error.details }));
}
